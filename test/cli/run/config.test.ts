import { expect } from 'chai';
import { COMMANDS_MS, Sandbox } from './sandbox.ts';

describe('geoflock config beside a running Geoflock', function () {
  this.timeout(COMMANDS_MS);

  it('shows what was set while it runs as such, and goes on to when it has ended', async () => {
    const box = new Sandbox();
    try {
      const running = box.start([]);
      const url = await running.url();
      const set = await fetch(`${url}/api/v1/settings/k`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ value: 7 }),
      });
      expect(set.status).to.equal(200);
      const line = async (...flags: readonly string[]): Promise<string | undefined> => {
        const { code, stderr, stdout } = await box.ask(['config', ...flags]);
        expect(code, stderr).to.equal(0);
        return stdout.split('\n').find((one) => one.startsWith('clustering.k '));
      };
      expect(await line('--url', url)).to.match(/^clustering\.k +7 +set while it runs$/);
      running.child.kill('SIGTERM');
      await running.ended;
      expect(await line()).to.match(/^clustering\.k +7 +set while it runs$/);
    } finally {
      await box.remove();
    }
  });
});
