/**
 * A headless Chromium for tests of pages: that of `CHROMIUM` or of the usual places. Where there is none, its tests
 * are skipped; with `CI` set, that is a failure.
 */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { cannotRun } from './cannot-run.ts';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** In a suite: starts the browser before its first test, ends it after its last one. */
export function useChromium(): () => Browser {
  let browser: Browser | undefined;
  before('start a Chromium', async function () {
    this.timeout(120_000);
    const executablePath = process.env['CHROMIUM'] ?? PLACES.find((place) => existsSync(place));
    if (executablePath === undefined) {
      cannotRun(this, `no Chromium at ${PLACES.join(', ')}: install one, or name it with CHROMIUM`);
    }
    browser = await chromium.launch({
      executablePath,
      timeout: 90_000,
      // In a container it runs as root, and nothing but our own file is opened.
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    });
  });
  after('end the Chromium', async () => {
    await browser?.close();
  });
  return () => {
    if (browser === undefined) {
      throw new Error('ask for the browser in a test or a hook');
    }
    return browser;
  };
}
