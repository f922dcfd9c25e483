/** Rows of results as CSV, in the columns of `python -m rankpose_tf.predict`. */

const COLUMNS = [
  ...["path", "frame", "time", "face", "left", "top", "right", "bottom", "score"],
  ...["yaw", "pitch", "roll", "reason"],
];
const DIGITS = { time: 6, score: 4 };
const BOX_DIGITS = 2;
const ANGLE_DIGITS = 4;
// A camera left on over night must not fill the memory: about an hour of two faces.
const MOST_ROWS = 200_000;

/** Rows of a picture, or of a camera since it was turned on; the oldest go when there are too many. */
export class Rows {
  #rows = [];
  #errors = new Set();

  get length() {
    return this.#rows.length;
  }

  clear() {
    this.#rows = [];
    this.#errors.clear();
  }

  /**
   * Adds the faces of one picture or frame, or the reason why there is none.
   *
   * @param where {path, frame, time}; frame and time are left out for a picture.
   */
  add(where, faces, reason = "no face found") {
    if (faces.length === 0) this.#rows.push({ ...where, reason });
    faces.forEach((face, index) => {
      const [left, top, right, bottom] = face.box;
      this.#rows.push({ ...where, face: face.number ?? index, left, top, right, bottom, ...face });
      errorsOf(face).forEach((name) => this.#errors.add(name));
    });
    if (this.#rows.length > MOST_ROWS) this.#rows.splice(0, this.#rows.length - MOST_ROWS);
  }

  /** The text of the file; expected errors, where the model has them, follow the other columns. */
  csv() {
    const columns = [...COLUMNS, ...this.#errors];
    const lines = this.#rows.map((row) => columns.map((name) => cell(row[name], name)).join(","));
    return [columns.join(","), ...lines, ""].join("\n");
  }
}

/** Names of a face's expected errors, degrees: of a model that has such outputs. */
export function errorsOf(face) {
  return Object.keys(face).filter((name) => name.endsWith("_error"));
}

function cell(value, name) {
  if (value === undefined || value === null || Number.isNaN(value)) return "";
  if (typeof value === "string") return /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  if (name === "frame" || name === "face") return String(value);
  const isSide = ["left", "top", "right", "bottom"].includes(name);
  const text = String(Number(value.toFixed(isSide ? BOX_DIGITS : (DIGITS[name] ?? ANGLE_DIGITS))));
  return /[.e]/.test(text) ? text : `${text}.0`;
}
