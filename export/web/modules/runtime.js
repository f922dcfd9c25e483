/**
 * LiteRT in the browser: loads the runtime and .tflite files, and runs them on the processor.
 *
 * The runtime's build without relaxed SIMD is used: it runs in every browser with WebAssembly
 * SIMD, and its arithmetic is the same on every processor.
 */

import { loadAndCompile, loadLiteRt, Tensor } from "../litert/index.js";
import { PoseError } from "./errors.js";

const RUNTIME = new URL("../litert/litert_wasm_compat_internal.js", import.meta.url);
// The smallest module that holds a SIMD instruction: () -> v128, i8x16.splat of 0.
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);
let runtime = null;

/** Whether this browser's WebAssembly has SIMD, without which the runtime can't start. */
export function hasSimd() {
  return typeof WebAssembly === "object" && WebAssembly.validate(SIMD_MODULE);
}

/** Starts the runtime once; later calls wait for the same start. */
export async function start() {
  if (!hasSimd()) {
    throw new PoseError(
      "This browser has no WebAssembly SIMD, which the network needs. Update it: Chrome and Edge " +
        "have it since 91, Firefox since 89, Safari since 16.4.",
    );
  }
  // Read by the runtime's script: what it reports while all is well is no error.
  globalThis.Module ??= {
    printErr: (text) => /^(INFO|WARNING)/.test(text) || console.error(text),
  };
  runtime ??= loadLiteRt(RUNTIME.href).catch((error) => {
    runtime = null;
    throw error;
  });
  await runtime;
}

/** A .tflite file, ready to run; `start` has to be done. */
export class Network {
  #model;

  static async load(content) {
    const network = new Network();
    network.#model = await loadAndCompile(content, { accelerator: "wasm" });
    return network;
  }

  /**
   * Runs the network once.
   *
   * @param values typed array; @param shape of it.
   * @returns array of typed arrays, the outputs in the file's order.
   */
  async run(values, shape) {
    const input = new Tensor(values, shape);
    try {
      return taken(await this.#model.run([input]));
    } finally {
      input.delete();
    }
  }

  /** Names of the outputs in the order of `run`. */
  get outputs() {
    return this.#model.getOutputDetails().map((output) => output.name);
  }
}

/** Values of tensors, which are given back to the runtime. */
function taken(tensors) {
  return tensors.map((tensor) => {
    const values = tensor.toTypedArray();
    tensor.delete();
    return values;
  });
}
