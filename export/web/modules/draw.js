/** Poses drawn on a canvas; the shapes and colours of rankpose_tf/core/draw.py. */

import { rotationFromAngles } from "./pose.js";
import { centreAndSide } from "./detection.js";

// Red: towards the head's left (picture's right at rest); green: up; blue: out of the nose.
const AXES = ["rgb(255, 60, 60)", "rgb(0, 200, 0)", "rgb(70, 130, 255)"];
// Of the cube: the face's side, the back of the head, and the four edges between them.
const FRONT = "rgb(255, 220, 0)";
const BACK = "rgb(70, 130, 255)";
const BETWEEN = "rgb(170, 170, 170)";
const FONT = "system-ui, sans-serif";
const SIDES = 4;

/**
 * Draws faces in the pixels of their picture.
 *
 * @param context 2-D context of a canvas of the picture's size.
 * @param faces as HeadPose.predict or VideoPoses.smooth gives them.
 * @param options {shape: "axes", "cube" or "none"; boxes, labels, mirrored: booleans}; where the
 *   picture is shown mirrored, so are the shapes, and the labels stay readable.
 */
export function draw(context, faces, { shape = "axes", boxes = true, labels = true, mirrored = false } = {}) {
  const { width, height } = context.canvas;
  context.save();
  context.lineCap = context.lineJoin = "round";
  if (mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
  for (const face of faces) {
    if (boxes) drawBox(context, face.box, Math.max(width, height));
    const { centre, side } = centreAndSide(face.box);
    const rotation = rotationFromAngles([face.yaw, face.pitch, face.roll]);
    if (shape === "axes") drawAxes(context, rotation, centre, 0.6 * side);
    if (shape === "cube") drawCube(context, rotation, centre, 0.8 * side);
  }
  context.restore();
  if (labels) faces.forEach((face, index) => drawLabel(context, face, index, mirrored));
}

function drawBox(context, [left, top, right, bottom], longest) {
  // Dark below light is seen on every background.
  for (const [colour, factor] of [["rgb(0 0 0 / 0.55)", 2.2], ["rgb(255 255 255 / 0.9)", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = factor * Math.max(1, longest / 600);
    context.strokeRect(left, top, right - left, bottom - top);
  }
}

function drawAxes(context, rotation, [x, y], length) {
  // The farthest first, so that what points at the viewer lies on top.
  const order = [0, 1, 2].sort((a, b) => rotation[2][a] - rotation[2][b]);
  context.lineWidth = Math.max(2, length / 22);
  for (const axis of order) {
    context.strokeStyle = AXES[axis];
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + length * rotation[0][axis], y - length * rotation[1][axis]);
    context.stroke();
  }
}

function drawCube(context, rotation, centre, length) {
  const square = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
  const seen = (corner) =>
    rotation.map((row) => row.reduce((sum, value, axis) => sum + value * corner[axis], 0) * (length / 2));
  const [front, back] = [1, -1].map((depth) => square.map(([x, y]) => seen([x, y, depth])));
  const outlines = [[FRONT, front, true], [BACK, back, true]];
  for (let i = 0; i < SIDES; i++) outlines.push([BETWEEN, [front[i], back[i]], false]);
  const depth = ([, points]) => points.reduce((sum, point) => sum + point[2], 0) / points.length;
  outlines.sort((a, b) => depth(a) - depth(b));
  context.lineWidth = Math.max(2, length / 36);
  for (const [colour, points, isClosed] of outlines) {
    context.strokeStyle = colour;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(centre[0] + x, centre[1] - y);
    if (isClosed) context.closePath();
    context.stroke();
  }
}

/** The face's number at its box, so that the table's rows are told apart in the picture. */
function drawLabel(context, face, index, mirrored) {
  const { width, height } = context.canvas;
  const size = Math.round(Math.min(Math.max(Math.max(width, height) / 32, 12), 60));
  const text = `${(face.number ?? index) + 1}`;
  const start = mirrored ? width - face.box[2] : face.box[0];
  context.save();
  context.font = `600 ${size}px ${FONT}`;
  context.textBaseline = "middle";
  const [w, h] = [context.measureText(text).width + 0.7 * size, 1.35 * size];
  const x = Math.min(Math.max(start, 0), width - w);
  const y = Math.min(Math.max(face.box[1] - h, 0), height - h);
  context.fillStyle = "rgb(0 0 0 / 0.72)";
  context.beginPath();
  context.roundRect(x, y, w, h, 0.25 * size);
  context.fill();
  context.fillStyle = "white";
  context.fillText(text, x + 0.35 * size, y + h / 2);
  context.restore();
}
