// One word enlarged: as it lies in the photo, turned upright, beside what was read.

import { stripOf } from "./geometry.js";
import { percent } from "./reading.js";

// Of the height of a word, shown around it.
const MARGIN = 0.25;

export class Inspector {
  /** @param {{crop: HTMLCanvasElement, word: HTMLElement, score: HTMLElement, copy: HTMLElement}} parts */
  constructor(parts) {
    this.parts = parts;
    this.hint = parts.score.textContent;
  }

  /**
   * Show one word.
   * @param {object | null} word Of a record; `null` shows the hint.
   * @param {HTMLImageElement | null} photo The photo, where the browser can draw it.
   */
  show(word, photo) {
    const { crop, word: told, score, copy } = this.parts;
    copy.hidden = !word;
    told.textContent = word?.text ?? "";
    score.textContent = word ? `${percent(word.score)} sure` : this.hint;
    crop.hidden = !word || !photo;
    if (word && photo) draw(crop, word, photo);
  }
}

function draw(canvas, word, photo) {
  const strip = stripOf(word);
  const width = strip.length + 2 * MARGIN * strip.height;
  const height = strip.height * (1 + 2 * MARGIN);
  const room = { width: canvas.parentElement.clientWidth * 0.4, height: 56 };
  const scale = Math.min(room.width / width, room.height / height);
  const sharp = window.devicePixelRatio;
  canvas.width = Math.max(1, width * scale * sharp);
  canvas.height = Math.max(1, height * scale * sharp);
  canvas.style.width = `${width * scale}px`;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.translate(canvas.width / 2, canvas.height / 2);
  pen.scale(scale * sharp, scale * sharp);
  pen.rotate(-strip.angle);
  pen.translate(-strip.centre[0], -strip.centre[1]);
  pen.drawImage(photo, 0, 0);
}
