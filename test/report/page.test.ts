import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { finish } from '../../src/clustering/slices.ts';
import { reportHtml } from '../../src/report/html.ts';
import type { ReportData } from '../../src/report/report-data.ts';
import { useChromium } from '../support/chromium.ts';
import { emptyReportData, HARM, reportData } from './data.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Box {
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
}

describe('report.html in a browser', function () {
  this.timeout(120_000);
  const browser = useChromium();
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'geoflock-report-'));
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page, as a file, and tells all that it has asked for and complained of. */
  async function open(
    data: ReportData,
    options: {
      readonly colorScheme?: 'light' | 'dark';
      readonly width?: number;
      readonly bypassCSP?: boolean;
    } = {},
  ): Promise<{ page: Page; requests: string[]; messages: string[]; url: string }> {
    const { bypassCSP = false, colorScheme = 'light', width = 1100 } = options;
    const file = join(folder, 'report.html');
    writeFileSync(file, finish(reportHtml(data)));
    const page = await browser().newPage({ viewport: { width, height: 900 }, colorScheme, bypassCSP });
    const requests: string[] = [];
    const messages: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(error.message));
    page.on('dialog', (dialog) => {
      messages.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    const url = pathToFileURL(file).href;
    await page.goto(url);
    return { page, requests, messages, url };
  }

  for (const [name, data] of [
    ['a full report', reportData()],
    ['a report of nothing', emptyReportData()],
  ] as const) {
    it(`${name} asks for nothing and complains of nothing`, async () => {
      const { messages, page, requests, url } = await open(data);
      expect(requests).to.deep.equal([url]);
      expect(messages).to.deep.equal([]);
      await page.close();
    });

    for (const colorScheme of ['light', 'dark'] as const) {
      it(`${name} has no violation of accessibility rules, ${colorScheme}`, async () => {
        // The checker is a script, which the page itself forbids.
        const { page } = await open(data, { colorScheme, bypassCSP: true });
        await page.addScriptTag({ content: AXE });
        const { passes, violations } = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as { axe: { run: () => Promise<AxeResults> } };
          return await axe.run();
        });
        expect(
          violations.map(({ help, id, nodes }) => [id, help, nodes.map(({ html }) => html)]),
        ).to.deep.equal([]);
        expect(passes.map(({ id }) => id)).to.include('color-contrast');
        await page.close();
      });
    }
  }

  it('shows text of others as text', async () => {
    const { messages, page } = await open(reportData());
    expect(await page.locator('script').count()).to.equal(0);
    expect(await page.getByText(HARM, { exact: true }).count()).to.be.above(1);
    expect(messages).to.deep.equal([]);
    await page.close();
  });

  for (const width of [1100, 375]) {
    it(`has labels on the map that do not overlap, and a page no wider than the window of ${String(width)}`, async () => {
      const { page } = await open(reportData(), { width });
      const boxes = await page.evaluate<Box[]>(
        "[...document.querySelectorAll('.map .label')].map((label) => label.getBoundingClientRect().toJSON())",
      );
      expect(boxes.length).to.be.above(2);
      for (const [index, a] of boxes.entries()) {
        for (const b of boxes.slice(index + 1)) {
          const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
          expect(apart, JSON.stringify([a, b])).to.equal(true);
        }
      }
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect(wide).to.be.at.most(width);
      await page.close();
    });
  }

  it('changes its colors with the scheme, and is light on paper', async () => {
    const colorOf = (page: Page): Promise<string> =>
      page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const { page } = await open(reportData(), { colorScheme: 'light' });
    const light = await colorOf(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await colorOf(page);
    await page.emulateMedia({ colorScheme: 'dark', media: 'print' });
    const paper = await colorOf(page);
    expect(dark).not.to.equal(light);
    expect(paper).to.equal('rgb(255, 255, 255)');
    const pdf = await page.pdf();
    expect(pdf.subarray(0, 5).toString('latin1')).to.equal('%PDF-');
    await page.close();
  });
});
