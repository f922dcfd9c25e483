/** Poses and troubles in plain words. */

import { PoseError } from "./errors.js";
import { errorsOf } from "./results.js";

const STRAIGHT = 3;

/** A face in one sentence, for who can't see the drawing. */
export function spoken(face, index) {
  const parts = [
    side(face.yaw, "turned", "to the picture's left", "to the picture's right"),
    side(face.pitch, "chin", "up", "down"),
    side(face.roll, "tilted", "clockwise", "anticlockwise"),
  ].filter(Boolean);
  const pose = parts.length > 0 ? parts.join(", ") : "looks straight into the camera";
  return `Face ${(face.number ?? index) + 1}: ${pose}.`;
}

function side(angle, verb, positive, negative) {
  if (Math.abs(angle) < STRAIGHT) return "";
  return `${verb} ${Math.round(Math.abs(angle))} degrees ${angle > 0 ? positive : negative}`;
}

/** Degrees for the table: one digit, a real minus sign. */
export function degrees(value) {
  return `${value.toFixed(1)}°`.replace("-0.0°", "0.0°").replace("-", "−");
}

/** The expected error of a face in degrees: the mean of what its model says; null if it says nothing. */
export function expectedError(face) {
  const names = errorsOf(face);
  if (names.length === 0) return null;
  return names.reduce((sum, name) => sum + face[name], 0) / names.length;
}

/** What to do about a camera that can't be used. */
export function cameraTrouble(error) {
  if (error instanceof PoseError) return error.message;
  const told = {
    NotAllowedError:
      "The camera was refused. Allow it for this page (the camera sign in the address bar, or the " +
      "browser's settings for this site), then turn it on again; or choose a picture.",
    NotFoundError: "No camera was found. Connect one and turn it on again, or choose a picture.",
    NotReadableError:
      "The camera is there but gives no pictures; another program may be using it. Close that and " +
      "turn the camera on again.",
  };
  told.SecurityError = told.NotAllowedError;
  told.OverconstrainedError = told.NotFoundError;
  return told[error.name] ?? `The camera could not be turned on (${error.message}). Choose a picture.`;
}

/** What to do about anything else. */
export function trouble(error) {
  if (error instanceof PoseError) return error.message;
  return `Something went wrong (${error.message}). Load this page again; if it stays, report it.`;
}
