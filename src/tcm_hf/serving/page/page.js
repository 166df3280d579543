// The page: how a photo comes in, what is shown while it is read and afterwards.

import { hasCamera, takePhoto } from "./camera.js";
import { Drawing } from "./drawing.js";
import { Inspector } from "./inspector.js";
import { counted, paragraphsOf, textOf } from "./reading.js";
import { saveFile, writeToClipboard } from "./saving.js";
import { fetchLimits, Problem, read } from "./server.js";
import { Viewer } from "./viewer.js";
import { WordList } from "./word_list.js";

const part = (id) => document.getElementById(id);
const MIB = 2 ** 20;

// What is on the page: the photo, its record, the word that was chosen and the one under the mouse, and
// what ends the reading that goes on.
const shown = { photo: null, record: null, chosen: null, pointed: null, reading: null };
let limits = null;

const drawing = new Drawing(part("marks"), {
  onPoint: point,
  onChoose: (place) => list.focus(place),
});
const list = new WordList(part("words"), { onPoint: point, onChoose: choose, onEnter: copyWord });
const viewer = new Viewer({
  viewport: part("viewport"),
  stage: part("stage"),
  image: part("image"),
  smaller: part("smaller"),
  larger: part("larger"),
  zoom: part("zoom"),
});
const inspector = new Inspector({
  crop: part("crop"),
  word: part("told-word"),
  score: part("told-score"),
  copy: part("copy-word"),
});

function tell(message) {
  part("status").textContent = message;
}

/** What is there to see: "start", "working", "done", "none" or "failed". */
function enter(state) {
  document.body.dataset.state = state;
  part("result").setAttribute("aria-busy", state === "working");
}

// --- reading

async function readPhoto(photo) {
  shown.reading?.abort();
  const reading = new AbortController();
  Object.assign(shown, { photo, record: null, chosen: null, pointed: null, reading });
  drawing.show(null);
  inspector.show(null, null);
  enter("working");
  tell(`Reading ${photo.name} …`);
  viewer.show(photo);
  const began = performance.now();
  try {
    checkSize(photo);
    const answer = await read(photo, "json", reading.signal);
    const record = await answer.json();
    await viewer.fit(record.source);
    if (!reading.signal.aborted) showRecord(record, (performance.now() - began) / 1000);
  } catch (error) {
    // Another photo has taken the place of this one, or nobody wants it any more.
    if (reading.signal.aborted) return;
    showProblem(error instanceof Problem ? error : new Problem(String(error), { title: "The page failed" }));
  }
}

function checkSize({ size }) {
  if (!limits || size <= limits.max_file_bytes) return;
  const most = (limits.max_file_bytes / MIB).toPrecision(3);
  const own = (size / MIB).toPrecision(3);
  const detail = `It has ${own} MiB, and at most ${Number(most)} MiB are read. Send a smaller one.`;
  throw new Problem(detail, { title: "The photo is too large" });
}

function showRecord(record, seconds) {
  shown.record = record;
  const lines = paragraphsOf(record).flat();
  const words = counted(lines.flat().length, "word");
  if (lines.length === 0) {
    enter("none");
    tell("No text was found.");
    return;
  }
  drawing.show(record);
  list.show(record);
  part("count").textContent = words;
  part("text").textContent = textOf(record);
  part("doubt").hidden = !part("words").querySelector(".doubtful");
  enter("done");
  tell(`${words} in ${counted(lines.length, "line")}, read in ${seconds.toFixed(1)} seconds.`);
}

function showProblem(problem) {
  enter("failed");
  tell("");
  part("problem-title").textContent = problem.title;
  part("problem-detail").textContent = problem.message;
  part("problem-id").textContent = problem.requestId ? `In the server's log: ${problem.requestId}` : "";
  part("again").hidden = !problem.retry;
}

function cancel() {
  shown.reading?.abort();
  enter("start");
  tell("Cancelled.");
  part("choose").focus();
}

// --- one word

function point(place) {
  shown.pointed = place;
  mark();
}

function choose(place) {
  // Whoever goes on with the keys leaves the mouse where it is.
  Object.assign(shown, { chosen: place, pointed: null });
  list.select(place);
  viewer.reveal(shown.record.instances[place]);
  mark();
}

function mark() {
  const place = shown.pointed ?? shown.chosen;
  drawing.mark(place);
  list.mark(place);
  inspector.show(place === null ? null : shown.record.instances[place], viewer.picture);
}

function copyWord(place) {
  const { text } = shown.record.instances[place];
  return copy(text, `“${text}” copied.`);
}

async function copy(text, message) {
  tell((await writeToClipboard(text)) ? message : "The browser does not let this page copy: select the text instead.");
}

// --- what is taken away

const nameOf = (suffix) => shown.photo.name.replace(/\.[^.]*$/, "") + suffix;

async function saveHocr() {
  // Another photo may have taken its place when the answer comes.
  const { photo } = shown;
  const name = nameOf(".hocr");
  try {
    tell("Making the hOCR file …");
    const answer = await read(photo, "hocr");
    saveFile(await answer.text(), name, "text/html");
    tell(`${name} downloaded.`);
  } catch (error) {
    tell(`There is no hOCR file. ${error.title ?? ""}: ${error.message}`);
  }
}

function saveJson() {
  saveFile(`${JSON.stringify(shown.record, null, 2)}\n`, nameOf(".json"), "application/json");
  tell(`${nameOf(".json")} downloaded.`);
}

// --- ways in

function readFirst(files) {
  const all = [...files];
  const photo = all.find((file) => file.type.startsWith("image/")) ?? all[0];
  if (photo) readPhoto(photo);
}

function takeFrom(input) {
  input.addEventListener("change", () => {
    readFirst(input.files);
    // The same photo may be chosen again.
    input.value = "";
  });
}

async function useCamera() {
  if (!hasCamera()) {
    part("shot").click();
    return;
  }
  const parts = { dialog: part("camera-dialog"), video: part("video") };
  try {
    const photo = await takePhoto({ ...parts, shutter: part("shutter"), close: part("camera-close") });
    if (photo) readPhoto(photo);
  } catch (error) {
    tell(`The camera cannot be used: ${error.message}. Choose a photo instead.`);
  }
}

async function readExample() {
  const answer = await fetch("example.jpg");
  readPhoto(new File([await answer.blob()], "example.jpg", { type: "image/jpeg" }));
}

function listenForDrops() {
  let depth = 0;
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", (event) => isFile(event) && show(1));
  document.addEventListener("dragleave", (event) => isFile(event) && show(-1));
  document.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    show(-depth);
    readFirst(event.dataTransfer.files);
  });
}

function listen() {
  const onClick = (id, action) => part(id).addEventListener("click", action);
  onClick("choose", () => part("file").click());
  onClick("camera", useCamera);
  onClick("example", readExample);
  onClick("cancel", cancel);
  onClick("again", () => readPhoto(shown.photo));
  onClick("copy", () => copy(textOf(shown.record), "The text is copied."));
  onClick("copy-word", () => copyWord(shown.pointed ?? shown.chosen));
  onClick("json", saveJson);
  onClick("hocr", saveHocr);
  takeFrom(part("file"));
  takeFrom(part("shot"));
  listenForDrops();
  document.addEventListener("paste", (event) => readFirst(event.clipboardData?.files ?? []));
  for (const choice of document.getElementsByName("show")) {
    choice.addEventListener("change", () => (part("stage").dataset.show = choice.value));
  }
}

listen();
limits = await fetchLimits();
if (limits) {
  const names = limits.formats.slice(0, 3).join(", ");
  part("limits").textContent = `${names} and others, up to ${Number((limits.max_file_bytes / MIB).toPrecision(3))} MiB.`;
}
