// The photo in its frame: fitted, enlarged, scrolled to a word.

import { stripOf } from "./geometry.js";
import { percent } from "./reading.js";

const ZOOMS = [1, 1.5, 2, 3, 4, 6];

export class Viewer {
  /**
   * @param {{viewport: HTMLElement, stage: HTMLElement, image: HTMLImageElement, smaller: HTMLButtonElement,
   *   larger: HTMLButtonElement, zoom: HTMLOutputElement}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.step = 0;
    this.smaller.addEventListener("click", () => this.#zoomTo(this.step - 1));
    this.larger.addEventListener("click", () => this.#zoomTo(this.step + 1));
    this.#zoomTo(0);
  }

  /** The photo, where the browser can draw it. */
  get picture() {
    return this.stage.classList.contains("blank") ? null : this.image;
  }

  /** Show a photo, before anything is known of it. */
  show(photo) {
    URL.revokeObjectURL(this.image.src);
    this.image.src = URL.createObjectURL(photo);
    this.image.alt = photo.name;
    this.stage.classList.add("blank");
    this.#zoomTo(0);
    this.loading = this.image.decode().then(
      () => this.#setFrame(this.image.naturalWidth, this.image.naturalHeight),
      () => {},
    );
  }

  /**
   * Take over the frame that words are told in, when the photo is there.
   * @param {{width: number, height: number}} source
   */
  async fit({ width, height }) {
    await this.loading;
    const { naturalWidth, naturalHeight } = this.image;
    this.#setFrame(width, height);
    // A kind of file that this browser does not know, or does not turn upright: the words are drawn on blank.
    const isSame = Math.abs(naturalWidth / naturalHeight - width / height) < 0.01;
    this.stage.classList.toggle("blank", !naturalWidth || !isSame);
  }

  /** Scroll a word into sight, where the photo is larger than its frame. */
  reveal(word) {
    if (this.step === 0) return;
    const [x, y] = stripOf(word).centre;
    const scale = this.stage.clientWidth / this.width;
    this.viewport.scrollTo({
      left: x * scale - this.viewport.clientWidth / 2,
      top: y * scale - this.viewport.clientHeight / 2,
    });
  }

  #setFrame(width, height) {
    this.width = width;
    this.stage.classList.remove("blank");
    this.stage.style.setProperty("--ratio", width / height);
  }

  #zoomTo(wanted) {
    const step = Math.min(Math.max(wanted, 0), ZOOMS.length - 1);
    const { viewport } = this;
    const centre = (place, seen, all) => (place + seen / 2) / (all || 1);
    const x = centre(viewport.scrollLeft, viewport.clientWidth, viewport.scrollWidth);
    const y = centre(viewport.scrollTop, viewport.clientHeight, viewport.scrollHeight);
    // Enlarged, the photo keeps the frame that it has.
    if (step === 0) viewport.style.height = "";
    else if (this.step === 0) viewport.style.height = `${viewport.clientHeight}px`;
    this.step = step;
    this.stage.style.setProperty("--zoom", ZOOMS[step]);
    this.zoom.textContent = percent(ZOOMS[step]);
    // Not `disabled`, which would take the focus away from under the finger.
    this.smaller.setAttribute("aria-disabled", step === 0);
    this.larger.setAttribute("aria-disabled", step === ZOOMS.length - 1);
    viewport.tabIndex = step === 0 ? -1 : 0;
    viewport.scrollTo(
      x * viewport.scrollWidth - viewport.clientWidth / 2,
      y * viewport.scrollHeight - viewport.clientHeight / 2,
    );
  }
}
