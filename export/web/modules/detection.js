/**
 * Faces in a picture, as the boxes that the model was trained with.
 *
 * The rule from a detector's box and points to the landmark box is that of
 * rankpose_tf/inference/detection.py; its weights come with description.json.
 */

import { find, letterboxed } from "./blazeface.js";
import { overlap } from "./boxes.js";
import { surroundings, turnedPoint, UPRIGHT_LIMIT, uprightAngle } from "./upright.js";

const SHIFT_LIMIT = 0.3;
const FACTOR_LIMITS = [0.6, 1.6];
// An upright face mostly has more than this, one that BlazeFace sees upside down less: those are
// "found" too, with the eyes at the mouth.
const SURE_SCORE = 0.85;
// Of two looks that are about as sure the one at the picture as it is counts.
const TURNED_HANDICAP = 0.06;
// A look at a turned picture is for faces that are upright there, give or take this, degrees,
// and that it sees about as surely as the picture as it is shows them.
const TURNED_LIMIT = 60;
const TURNED_LAG = 0.05;
// What only a turned picture shows needs this much of the scores of both looks together.
const LEAST_TURNED = 1.3;
// Degrees by which a face may have turned from one frame of a video to the next.
const FRAME_TURN = 30;
const SAME_FACE_OVERLAP = 0.3;
// Side of the square that is looked at again, over the side of the detector's box.
const SECOND_LOOK = 3;

/**
 * Finds faces, whatever way up they are.
 *
 * @param run async function, BlazeFace's network; see blazeface.js.
 * @param weights of the rule, (2K + 1) rows of 3.
 * @param before what this function gave for the frame before, of a video: a face that is where
 *   one was then, and as much turned, is taken for sure.
 * @returns array of {box, turn, score}, best first: box [left, top, right, bottom] pixels, the
 *   landmark box (a square); turn degrees that turn it upright, see upright.js.
 */
export async function detect(run, picture, weights, before = []) {
  const faces = [];
  for (const face of await lookAround(run, picture, before)) {
    if (face.box[2] <= face.box[0] || face.box[3] <= face.box[1]) continue;
    const turn = turnOf(face);
    const better = turn === 0 ? null : (face.again ?? (await lookAgain(run, picture, face, turn)));
    faces.push({ ...landmarkBox(better ?? face, turn, weights), score: face.score });
  }
  return faces;
}

/** The picture as it is; and where a face is missing or unsure, its other three quarter turns. */
async function lookAround(run, picture, before) {
  const input = letterboxed(picture);
  const found = await find(run, input);
  const isSure = (face) => face.score >= SURE_SCORE || before.some((old) => isFollowed(face, old));
  if (found.length > 0 && found.every(isSure)) return found;
  const candidates = found.map((face) => ({ face, handicap: 0 }));
  for (const quarters of [1, 2, 3]) {
    for (const face of await find(run, input, quarters)) {
      const isUpright = fromUpright(uprightAngle(face.points) - 90 * quarters) <= TURNED_LIMIT;
      const isSurer = found.every((other) => !isSame(face, other) || face.score >= other.score - TURNED_LAG);
      if (isUpright && isSurer) candidates.push({ face, handicap: TURNED_HANDICAP });
    }
  }
  return surest(run, picture, candidates);
}

/** Of the candidates for each face the one that a second look, at it upright, bears out best. */
async function surest(run, picture, candidates) {
  const ranked = [];
  for (const { face, handicap } of candidates) {
    const again = await lookAgain(run, picture, face, uprightAngle(face.points));
    const both = face.score + (again?.score ?? 0);
    if (handicap > 0 && both < LEAST_TURNED) continue;
    ranked.push({ ...face, again, rank: both / 2 - handicap });
  }
  ranked.sort((a, b) => b.rank - a.rank);
  const kept = [];
  for (const face of ranked) {
    if (!kept.some((other) => isSame(face, other))) kept.push(face);
  }
  return kept;
}

function isFollowed(face, old) {
  return isSame(face, old) && fromUpright(turnOf(face) - old.turn) <= FRAME_TURN;
}

/** By how much a face is turned upright, degrees: its angle, or 0 where that is small. */
function turnOf(face) {
  const angle = uprightAngle(face.points);
  return Math.abs(angle) > UPRIGHT_LIMIT ? angle : 0;
}

function isSame(one, other) {
  return overlap(one.box, other.box) > SAME_FACE_OVERLAP;
}

/** Size of an angle within +-180 degrees. */
function fromUpright(angle) {
  return Math.abs(angle - 360 * Math.round(angle / 360));
}

/** The face once more, in its surroundings turned upright by its angle; null where it isn't found there. */
async function lookAgain(run, picture, face, angle) {
  const { centre, side } = centreAndSide(face.box);
  const [upright, shrink] = surroundings(picture, centre, SECOND_LOOK * side, angle);
  const faces = await find(run, letterboxed(upright));
  const middle = upright.width / 2;
  const distance = ({ box }) => {
    const { centre: c } = centreAndSide(box);
    return shrink * Math.hypot(c[0] - middle, c[1] - middle);
  };
  const [nearest] = faces.sort((a, b) => distance(a) - distance(b));
  if (!nearest || distance(nearest) > side / 2) return null;
  const back = (point) => {
    const [x, y] = turnedPoint(point.map((place) => shrink * (place - middle)), angle);
    return [centre[0] + x, centre[1] + y];
  };
  const { centre: c, side: s } = centreAndSide(nearest.box);
  const [[x, y], half] = [back(c), (shrink * s) / 2];
  const box = [x - half, y - half, x + half, y + half];
  return { box, points: nearest.points.map(back), score: nearest.score };
}

/** The rule: from the detector's box and points to {box, turn}; see detection.py. */
export function landmarkBox({ box, points }, turn, weights) {
  const { centre, side } = centreAndSide(box);
  const features = points.flatMap(([x, y]) =>
    turnedPoint([(x - centre[0]) / side, (y - centre[1]) / side], -turn),
  );
  features.push(1);
  const answers = [0, 1, 2].map((column) =>
    features.reduce((sum, feature, row) => sum + feature * weights[row][column], 0),
  );
  const shift = answers.slice(0, 2).map((value) => clipped(value, -SHIFT_LIMIT, SHIFT_LIMIT));
  const half = 0.5 * side * clipped(answers[2], ...FACTOR_LIMITS);
  const [dx, dy] = turnedPoint(shift, turn);
  const [x, y] = [centre[0] + side * dx, centre[1] + side * dy];
  return { box: [x - half, y - half, x + half, y + half], turn };
}

/** Centre [x, y] and longer side of a box. */
export function centreAndSide([left, top, right, bottom]) {
  const centre = [(left + right) / 2, (top + bottom) / 2];
  return { centre, side: Math.max(right - left, bottom - top) };
}

function clipped(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
