// What a record of reading-1.json tells, as the page needs it.

/** Readings below this score are shown as doubtful. */
export const DOUBTFUL = 0.6;

/**
 * The places of words in `record.instances`, by paragraph and line, in reading order.
 * @returns {number[][][]}
 */
export function paragraphsOf(record) {
  const paragraphs = [];
  let before = {};
  record.instances.forEach((word, place) => {
    if (!word.text.trim()) return;
    if (word.paragraph !== before.paragraph) paragraphs.push([]);
    const lines = paragraphs.at(-1);
    if (word.paragraph !== before.paragraph || word.line !== before.line) lines.push([]);
    lines.at(-1).push(place);
    before = word;
  });
  return paragraphs;
}

/** Lines in reading order, an empty line between paragraphs. */
export function textOf(record) {
  const line = (places) => places.map((place) => record.instances[place].text).join(" ");
  return paragraphsOf(record).map((lines) => lines.map(line).join("\n")).join("\n\n");
}

/** A score as people read it. */
export function percent(score) {
  return `${Math.round(100 * score)} %`;
}

/** "1 word", "2 words". */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
