/** Headless Chromium for the tests, with a fake camera, and a list of every request it made. */

import { createRequire } from "node:module";

const require = createRequire(new URL("../../export/web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const QUIET = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/**
 * Opens the page.
 *
 * @param options {browser: path of Chromium, url, camera: path of a .y4m file, isAllowed: whether
 *   the camera is, flags, size: [width, height], isDark, before: function that runs in the page
 *   before its own scripts, query}.
 * @returns {page, requests, complaints, processor, close}: urls of all requests; errors of the
 *   console; function that gives the milliseconds the pages' processes took of the processor.
 */
export async function open(options) {
  const { browser: executablePath, url, camera, isAllowed = true, flags = [] } = options;
  const args = [...QUIET, ...flags, "--use-fake-device-for-media-stream"];
  if (camera) args.push(`--use-file-for-fake-video-capture=${camera}`);
  const browser = await chromium.launch({ executablePath, args });
  const [width, height] = options.size ?? [1280, 900];
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: options.isDark ? "dark" : "light",
    permissions: isAllowed ? ["camera"] : [],
    acceptDownloads: true,
    hasTouch: width < 600,
    deviceScaleFactor: options.scale ?? 1,
  });
  const page = await context.newPage();
  const [requests, complaints] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  if (options.before) await page.addInitScript(options.before);
  if (url) await page.goto(url);
  const processor = () => processorTime(browser);
  return { page, requests, complaints, processor, close: () => browser.close() };
}

async function processorTime(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const pages = processInfo.filter((one) => one.type === "renderer");
  return 1000 * pages.reduce((sum, one) => sum + one.cpuTime, 0);
}
