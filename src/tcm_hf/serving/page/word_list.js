// The words in reading order, as a listbox: one stop of the Tab key, arrow keys inside.

import { DOUBTFUL, paragraphsOf, percent } from "./reading.js";

export class WordList {
  /**
   * @param {HTMLElement} box The listbox.
   * @param {{onPoint: (place: number | null) => void, onChoose: (place: number) => void,
   *   onEnter: (place: number) => void}} listeners Are told of the word under the mouse, of the one that has the
   *   focus, and of the Enter key.
   */
  constructor(box, { onPoint, onChoose, onEnter }) {
    this.box = box;
    this.onEnter = onEnter;
    this.lines = [];
    this.options = new Map();
    const placeOf = (event) => {
      const option = event.target.closest("[data-place]");
      return option ? Number(option.dataset.place) : null;
    };
    box.addEventListener("pointerover", (event) => onPoint(placeOf(event)));
    box.addEventListener("pointerleave", () => onPoint(null));
    box.addEventListener("focusin", (event) => placeOf(event) !== null && onChoose(placeOf(event)));
    box.addEventListener("keydown", (event) => this.#onKey(event, placeOf(event)));
  }

  /** Show the words of a record instead of what was there. */
  show(record) {
    this.options.clear();
    const paragraphs = paragraphsOf(record);
    this.lines = paragraphs.flat();
    let number = 0;
    this.box.replaceChildren(
      ...paragraphs.map((lines) => {
        const paragraph = made("div", { class: "paragraph", role: "none" });
        paragraph.append(...lines.map((places) => this.#line(record, places, ++number)));
        return paragraph;
      }),
    );
    this.options.values().next().value?.setAttribute("tabindex", "0");
  }

  /** Light up one word, or none. */
  mark(place) {
    for (const [own, option] of this.options) option.classList.toggle("marked", own === place);
  }

  /** Make one word the chosen one. */
  select(place) {
    for (const [own, option] of this.options) {
      option.setAttribute("aria-selected", own === place);
      option.tabIndex = own === place ? 0 : -1;
    }
  }

  /** Move the focus to a word. */
  focus(place) {
    this.options.get(place)?.focus();
  }

  #line(record, places, number) {
    const line = made("div", { class: "line", role: "group", "aria-label": `Line ${number}` });
    for (const place of places) {
      const option = optionOf(record.instances[place], place);
      this.options.set(place, option);
      line.append(option);
    }
    return line;
  }

  #onKey(event, place) {
    if (place === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const words = this.lines.flat();
    const at = words.indexOf(place);
    const line = this.lines.findIndex((places) => places.includes(place));
    const column = this.lines[line].indexOf(place);
    const inLine = (number) => this.lines[number]?.[Math.min(column, this.lines[number].length - 1)];
    const moves = {
      ArrowRight: () => words[at + 1],
      ArrowLeft: () => words[at - 1],
      ArrowDown: () => inLine(line + 1),
      ArrowUp: () => inLine(line - 1),
      Home: () => words[0],
      End: () => words.at(-1),
    };
    if (event.key === "Enter") this.onEnter(place);
    else if (moves[event.key]) this.focus(moves[event.key]());
    else return;
    event.preventDefault();
  }
}

function optionOf(word, place) {
  const option = made("span", {
    role: "option",
    class: word.score < DOUBTFUL ? "doubtful" : "",
    "aria-selected": "false",
    "data-place": place,
    tabindex: "-1",
    translate: "no",
    dir: "auto",
  });
  option.textContent = word.text;
  if (word.score < DOUBTFUL) option.setAttribute("aria-label", `${word.text}, ${percent(word.score)} sure`);
  return option;
}

function made(name, attributes) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
