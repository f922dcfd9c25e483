/** What the page says and shows; it knows the elements of index.html and nothing else. */

import { degrees, expectedError } from "./words.js";

const byId = (id) => document.getElementById(id);

export const show = {
  status(text) {
    byId("status").textContent = text;
  },

  /** A trouble and what to do; an empty text takes it away. */
  alert(text) {
    byId("alert").textContent = text;
    byId("alert").hidden = text === "";
  },

  canvas() {
    byId("view").hidden = false;
    byId("empty").hidden = true;
    byId("stage").classList.remove("is-empty");
    byId("csv").disabled = byId("save").disabled = false;
  },

  camera(isOn) {
    byId("camera").textContent = isOn ? "Stop the camera" : "Use the camera";
    byId("camera").setAttribute("aria-pressed", String(isOn));
  },

  about({ version, model, detector }) {
    byId("about").textContent =
      `rankpose_tf ${version} · network: ${model.tower}, ${model.input_size} × ${model.input_size} pixels, trained ` +
      `on ${model.training_set} · faces by ${detector.name} · run by LiteRT.js · licence: ${model.licence}`;
  },

  /** The table, a row a face; the column of expected errors is there if the model says them. */
  faces(faces) {
    const errors = faces.map(expectedError);
    const hasErrors = errors.some((error) => error !== null);
    byId("error-title").hidden = !hasErrors;
    byId("faces").hidden = faces.length === 0;
    byId("rows").replaceChildren(
      ...faces.map((face, index) => {
        const cells = [face.yaw, face.pitch, face.roll].map(degrees);
        if (hasErrors) cells.push(errors[index] === null ? "" : `±${degrees(errors[index])}`);
        cells.push(face.score.toFixed(2));
        return row((face.number ?? index) + 1, cells);
      }),
    );
  },
};

function row(number, cells) {
  const title = document.createElement("th");
  title.scope = "row";
  title.append(document.createElement("span"));
  title.firstChild.textContent = number;
  const line = document.createElement("tr");
  line.append(title);
  for (const text of cells) line.insertCell().textContent = text;
  return line;
}

/** Gives a file to the browser's downloads. */
export function saved(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
