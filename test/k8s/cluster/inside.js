// Runs in the pod `tools`: node -e "$(cat inside.js)" WHAT [ARGUMENT...]. Prints one JSON value.
const fs = await import('node:fs');
const http = await import('node:http');
const [what, ...args] = process.argv.slice(1);
const SERVICE = 'http://geoflock:8470';
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };

/** The status code, or why there is none; each time over a connection of its own. */
function statusOf(url, timeout) {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, headers, timeout }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode));
    });
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('error', (error) => resolve(error.code ?? error.message));
  });
}

const tasks = {
  /** What a command of the API answers. */
  api: async (method, path) => {
    const answer = await fetch(`${SERVICE}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(120_000),
    });
    return { status: answer.status, body: await answer.json() };
  },
  /** Lines of all files without their headers: the independent count. */
  lines: () => {
    let lines = 0;
    let files = 0;
    const buffer = Buffer.alloc(1 << 20);
    for (const name of fs.readdirSync('/data', { recursive: true })) {
      if (!name.endsWith('.csv')) continue;
      const file = fs.openSync(`/data/${name}`, 'r');
      let last = 10;
      for (let read; (read = fs.readSync(file, buffer)) > 0; last = buffer[read - 1]) {
        for (let at = buffer.indexOf(10); at >= 0 && at < read; at = buffer.indexOf(10, at + 1)) lines++;
      }
      fs.closeSync(file);
      if (last !== 10) throw new Error(`${name} does not end with a line's end`);
      files++;
      lines--;
    }
    return { files, lines };
  },
  /** Asks the Service until stdin ends: as its users do, who do not know of a roll. */
  watch: async () => {
    const seen = {};
    let open = true;
    process.stdin.resume().once('end', () => (open = false));
    while (open) {
      const status = await statusOf(`${SERVICE}/livez`, 5_000);
      seen[status] = (seen[status] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return seen;
  },
  /** Whether the pod of an address says that it is ready. */
  ready: (address) => statusOf(`http://${address}:8470/readyz`, 3_000),
};
console.log(JSON.stringify(await tasks[what](...args)));
