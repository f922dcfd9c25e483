/** The page: buttons, pictures that are dropped or pasted, the camera, and what is shown of them. */

import { draw, HeadPose, PoseError, VideoPoses } from "./rankpose.js";
import { Camera } from "./modules/camera.js";
import { decoded, MAX_PIXELS, sidesOf } from "./modules/pixels.js";
import { Pace } from "./modules/pace.js";
import { Rows } from "./modules/results.js";
import { saved, show } from "./modules/show.js";
import { cameraTrouble, spoken, trouble } from "./modules/words.js";

const byId = (id) => document.getElementById(id);
const options = byId("options");
const view = byId("view");
const camera = new Camera(byId("video"));
const rows = new Rows();
// Of a screen reader: more often than this and it never finishes a sentence.
const SPEAK_SECONDS = 3;

let shown = null; // {drawable, faces, isCamera}: what the canvas shows
let lastSpoken = 0;
let asked = 0; // pictures and cameras so far: the answer for any but the last comes too late
let isStarting = false; // while the browser asks whether the page may use the camera
const loading = load();

async function load() {
  try {
    const headPose = await HeadPose.load();
    show.about(headPose.description);
    show.status("Ready.");
    return headPose;
  } catch (error) {
    show.status("Not ready.");
    show.alert(trouble(error));
    return null;
  } finally {
    byId("late").hidden = true;
  }
}

/** Shows a picture and its poses. */
async function openPicture(blob, name) {
  stopCamera();
  show.alert("");
  const own = ++asked;
  try {
    const drawable = await decoded(blob);
    if (own !== asked) return;
    show.status("Looking …");
    const headPose = await loading;
    if (!headPose || own !== asked) return;
    const start = performance.now();
    const faces = await headPose.predict(drawable);
    if (own !== asked) return;
    const milliseconds = performance.now() - start;
    rows.clear();
    rows.add({ path: name }, faces);
    present({ drawable, faces, name, isCamera: false });
    show.status(`${counted(faces)} · ${milliseconds.toFixed(0)} ms`);
    if (faces.length === 0) show.alert(NO_FACE);
    speak(faces);
  } catch (error) {
    if (own !== asked) return;
    show.status("");
    show.alert(trouble(error));
  }
}
const NO_FACE =
  "No face was found. A face should be at least a seventh of the picture's longer side: cut the " +
  "picture closer to it, or choose another one.";

async function startCamera() {
  if (isStarting) return;
  isStarting = true;
  show.alert("");
  try {
    await camera.start();
  } catch (error) {
    camera.stop();
    show.alert(cameraTrouble(error));
    return;
  } finally {
    isStarting = false;
  }
  const own = ++asked;
  show.camera(true);
  rows.clear();
  const others = await camera.others();
  if (isOver(own)) return;
  byId("switch").hidden = others.length === 0;
  const headPose = await loading;
  if (isOver(own)) return;
  if (!headPose) stopCamera();
  else await follow(headPose, own);
}

/** Whether the camera was turned off since, or off and on again. */
function isOver(own) {
  return own !== asked || !camera.isOn;
}

/** Poses of the camera's frames, until it is stopped. */
async function follow(headPose, own) {
  const poses = new VideoPoses();
  const pace = new Pace();
  let frame = 0;
  let before = [];
  const work = async (video, time) => {
    const start = performance.now();
    before = await headPose.predict(video, { before });
    if (isOver(own)) return;
    const faces = poses.smooth(before, time, options.elements.smoothing.checked);
    present({ drawable: video, faces, name: "camera", isCamera: true });
    rows.add({ path: "camera", frame: frame++, time: pace.since(time) }, faces);
    pace.add(time, performance.now() - start);
    show.status(`${counted(faces)} · ${pace.text}`);
    if (time - lastSpoken > SPEAK_SECONDS) {
      lastSpoken = time;
      speak(faces);
    }
  };
  const lost = () => {
    stopCamera();
    show.alert("The camera went away. Connect it and turn it on again, or choose a picture.");
  };
  try {
    await camera.forEachFrame(work, lost);
  } catch (error) {
    if (isOver(own)) return;
    stopCamera();
    show.alert(trouble(error));
  }
}

function stopCamera() {
  if (!camera.isOn) return;
  asked += 1;
  // What was seen last stays, to be saved.
  if (shown?.isCamera) shown.drawable = still(byId("video"));
  camera.stop();
  show.camera(false);
  byId("switch").hidden = true;
}

function still(video) {
  const canvas = new OffscreenCanvas(Math.max(1, video.videoWidth), Math.max(1, video.videoHeight));
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas;
}

/** Draws a picture and its faces and fills the table. */
function present(next) {
  shown = next;
  paint();
  show.faces(next.faces);
  view.setAttribute(
    "aria-label",
    `${next.isCamera ? "Camera" : next.name}, ${counted(next.faces)}; their poses are in the table`,
  );
}

function paint() {
  if (!shown) return;
  const { drawable, faces, isCamera } = shown;
  const [width, height] = sidesOf(drawable);
  const shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
  const [columns, rowCount] = [Math.round(width * shrink), Math.round(height * shrink)];
  if (view.width !== columns || view.height !== rowCount) [view.width, view.height] = [columns, rowCount];
  show.canvas();
  const mirrored = isCamera && options.elements.mirrored.checked;
  const context = view.getContext("2d", { alpha: false });
  context.fillRect(0, 0, columns, rowCount);
  if (mirrored) context.setTransform(-1, 0, 0, 1, columns, 0);
  context.drawImage(drawable, 0, 0, columns, rowCount);
  context.resetTransform();
  const scaled = faces.map((face) => ({ ...face, box: face.box.map((value) => value * shrink) }));
  draw(context, scaled, {
    shape: options.elements.shape.value,
    boxes: options.elements.boxes.checked,
    mirrored,
  });
}

function counted(faces) {
  return faces.length === 1 ? "1 face" : `${faces.length} faces`;
}

function speak(faces) {
  byId("spoken").textContent = faces.map(spoken).join(" ") || "No face.";
}

/** The first picture in what was dropped or pasted. */
function pictureIn(transfer) {
  const file = [...(transfer?.files ?? [])].find((candidate) => candidate.type.startsWith("image/"));
  if (file) return file;
  const [other] = transfer?.files ?? [];
  if (!other) return null;
  const isVideo = other.type.startsWith("video/");
  const advice = isVideo ? "videos are for python -m rankpose_tf.predict" : "choose a picture";
  throw new PoseError(`“${other.name}” is no picture; ${advice}.`);
}

function take(event) {
  try {
    const file = pictureIn(event.dataTransfer ?? event.clipboardData);
    if (!file) return;
    event.preventDefault();
    openPicture(file, file.name);
  } catch (error) {
    event.preventDefault();
    show.alert(trouble(error));
  }
}

byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (file) openPicture(file, file.name);
  target.value = ""; // so that the same file can be chosen again
});
byId("example").addEventListener("click", async () => {
  const answer = await fetch("example.jpg").catch(() => null);
  if (answer?.ok) openPicture(await answer.blob(), "example.jpg");
  else show.alert("example.jpg can't be loaded; serve the whole folder that the export wrote.");
});
byId("camera").addEventListener("click", () => (camera.isOn ? stopCamera() : startCamera()));
byId("switch").addEventListener("click", async () => {
  await camera.switch();
  if (!camera.isOn) return;
  stopCamera();
  startCamera();
});
byId("csv").addEventListener("click", () => {
  saved(new Blob([rows.csv()], { type: "text/csv" }), "poses.csv");
});
byId("save").addEventListener("click", () => {
  view.toBlob((blob) => saved(blob, "poses.png"), "image/png");
});
options.addEventListener("change", paint);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  byId("stage").classList.add("is-over");
});
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, () => byId("stage").classList.remove("is-over"));
}
document.addEventListener("drop", take);
document.addEventListener("paste", take);
addEventListener("pagehide", () => camera.stop());
