// Makes docs/images/ anew: the demo as a terminal of 80 columns shows it, and its report. Takes a minute.
// Needs a Chromium (CHROMIUM, or /usr/bin/chromium) and `script` of util-linux, for a terminal to run in.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('..', import.meta.url));
const images = join(root, 'docs', 'images');
const DURATION = '60s';
const ESC = String.fromCharCode(27);
/** One drawing of the table over the one before. */
const FRAME = new RegExp(String.raw`${ESC}\[\d+A((?:${ESC}\[2K[^\n]*\n)+)${ESC}\[0J`, 'g');

const folder = mkdtempSync(join(tmpdir(), 'geoflock-screenshots-'));
try {
  const demo = `stty cols 80 rows 40; exec '${process.execPath}' '${join(root, 'bin/geoflock.js')}' demo --duration ${DURATION}`;
  const screen = execFileSync('script', ['-qec', demo, '/dev/null'], { cwd: folder, encoding: 'utf8' });
  const frames = [...screen.replaceAll('\r', '').matchAll(FRAME)];
  const last = frames.at(-1)?.[1];
  if (last === undefined) {
    throw new Error('the demo has drawn no table');
  }
  const table = last.replaceAll(`${ESC}[2K`, '').trimEnd();
  mkdirSync(images, { recursive: true });
  await takePictures(table);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string} table of plain text */
async function takePictures(table) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  try {
    const terminal = await browser.newPage({
      viewport: { width: 720, height: 500 },
      deviceScaleFactor: 1.25,
    });
    const text = `$ npm start\n\n${table}`.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    await terminal.setContent(
      '<body style="margin:0;background:#14181a"><pre style="margin:0;padding:16px 18px;color:#e6eaeb;' +
        `font:13px/1.35 'DejaVu Sans Mono',monospace;display:inline-block">${text}</pre></body>`,
    );
    await terminal.locator('pre').screenshot({ path: join(images, 'terminal.png') });
    const page = await browser.newPage({ viewport: { width: 1080, height: 1180 }, colorScheme: 'light' });
    await page.goto(pathToFileURL(join(folder, 'data', 'report', 'report.html')).href);
    await page.screenshot({ path: join(images, 'report.png') });
  } finally {
    await browser.close();
  }
}
