// The words over the photo, as SVG in pixels of the photo.

import { between, stripOf } from "./geometry.js";
import { DOUBTFUL } from "./reading.js";

const SVG = "http://www.w3.org/2000/svg";
// Shares of a word's height: the size of letters, and how far below the middle their feet stand.
const LETTERS = 0.92;
const FEET = 0.36;
const WIDEST = 0.95;

export class Drawing {
  /**
   * @param {SVGSVGElement} svg
   * @param {{onPoint: (place: number | null) => void, onChoose: (place: number) => void}} listeners Are told of
   *   the word under the mouse, and of clicks.
   */
  constructor(svg, { onPoint, onChoose }) {
    this.svg = svg;
    this.words = new Map();
    this.pen = document.createElement("canvas").getContext("2d");
    const placeOf = (event) => {
      const word = event.target.closest("[data-place]");
      return word ? Number(word.dataset.place) : null;
    };
    svg.addEventListener("pointerover", (event) => onPoint(placeOf(event)));
    svg.addEventListener("pointerleave", () => onPoint(null));
    svg.addEventListener("click", (event) => placeOf(event) !== null && onChoose(placeOf(event)));
  }

  /** Draw the words of a record instead of what was there; `null` draws nothing. */
  show(record) {
    this.words.clear();
    this.svg.replaceChildren();
    if (!record) return;
    this.svg.setAttribute("viewBox", `0 0 ${record.source.width} ${record.source.height}`);
    this.pen.font = `600 100px ${getComputedStyle(this.svg).fontFamily}`;
    record.instances.forEach((word, place) => {
      const group = this.#drawn(word, place);
      this.words.set(place, group);
      this.svg.append(group);
    });
  }

  /** Light up one word, or none. */
  mark(place) {
    for (const [own, group] of this.words) group.classList.toggle("marked", own === place);
  }

  #drawn(word, place) {
    const strip = stripOf(word);
    const points = word.polygon.map((point) => point.join(",")).join(" ");
    const size = this.#letterSize(word.text, strip);
    const feet = between(strip.tops, strip.feet, 0.5 + (FEET * size) / strip.height);
    const line = element("path", { id: `line-${place}`, d: `M${feet.join("L")}`, class: "line" });
    const text = element("text", { "font-size": size.toFixed(2), "text-anchor": "middle" });
    const along = element("textPath", { href: `#line-${place}`, startOffset: "50%" });
    along.textContent = word.text;
    text.append(along);
    const group = element("g", { class: "word", "data-place": place });
    if (word.score < DOUBTFUL) group.classList.add("doubtful");
    group.append(element("polygon", { class: "halo", points }), element("polygon", { class: "plate", points }));
    group.append(line, text);
    return group;
  }

  /** As large as fits the strip, in both directions. */
  #letterSize(text, strip) {
    const width = this.pen.measureText(text).width / 100;
    return Math.max(1, Math.min(LETTERS * strip.height, (WIDEST * strip.length) / (width || 1)));
  }
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
