/** Frames a second and milliseconds of work, over the last second. */

const SECONDS = 1;

export class Pace {
  #frames = [];
  #first = null;

  /** Seconds from the first frame to `time`. */
  since(time) {
    this.#first ??= time;
    return time - this.#first;
  }

  /** Takes a frame: its time in seconds and how long it took. */
  add(time, milliseconds) {
    this.#frames.push({ time, milliseconds });
    while (this.#frames.length > 2 && this.#frames[0].time < time - SECONDS) this.#frames.shift();
  }

  /** Frames a second; 0 before the second frame. */
  get rate() {
    const seconds = this.#frames.at(-1)?.time - this.#frames[0]?.time;
    return seconds > 0 ? (this.#frames.length - 1) / seconds : 0;
  }

  /** Mean milliseconds of work a frame. */
  get work() {
    const total = this.#frames.reduce((sum, frame) => sum + frame.milliseconds, 0);
    return total / Math.max(1, this.#frames.length);
  }

  get text() {
    return `${this.rate.toFixed(0)} frames/s · ${this.work.toFixed(0)} ms of work`;
  }
}
