/** `npm run test:k8s`. Not a `.test.ts`: it needs a cluster of its own, and is no part of `npm test`. */
import { expect } from 'chai';
import { type Cluster, openCluster } from './cluster.ts';
import { Deployed } from './deployed.ts';

const PREPARED_WITHIN_MS = 3_600_000;
const STEP_WITHIN_MS = 900_000;

describe('on a real Kubernetes', function () {
  this.timeout(STEP_WITHIN_MS);
  // Each step goes on from the one before.
  this.bail(true);
  let cluster: Cluster;
  let deployed: Deployed;

  before(async function () {
    this.timeout(PREPARED_WITHIN_MS);
    cluster = await openCluster(this);
    deployed = new Deployed(cluster);
  });

  let failed = false;
  afterEach(async function () {
    if (this.currentTest?.isFailed() === true) {
      failed = true;
      process.stdout.write(await deployed.describe());
    }
  });

  after(async () => {
    // What failed is left for whoever looks into it; the next run removes it.
    if (!failed) {
      await deployed.remove();
    }
  });

  /** Nothing is lost and nothing counted twice: against the lines of the files, which another reader counts. */
  async function staysExact(): Promise<void> {
    const { lines, rows } = await deployed.exact();
    expect(rows).to.deep.equal({ read: lines, counted: lines, rejected: 0 });
    process.stdout.write(`      ${lines.toLocaleString('en')} rows in the files, all counted once\n`);
    await deployed.generate(true);
  }

  async function isStartedAgain(name: string, restarts: number): Promise<void> {
    await deployed.until('it is started again', async () => (await deployed.pod(name)).restarts > restarts);
    await deployed.allReady(2);
    await staysExact();
  }

  it('the local overlay is applied, and two replicas become ready, on two nodes where there are two', async () => {
    await deployed.apply();
    await deployed.allReady(2);
    await deployed.until('the one who asks from inside runs', async () => {
      return (await deployed.kubectl('get', 'pod', 'tools', '-o', 'jsonpath={.status.phase}')) === 'Running';
    });
    const nodes = new Set((await deployed.replicas()).map(({ node }) => node));
    expect(nodes.size).to.equal(Math.min(2, cluster.nodes.length));
  });

  it("the generator's rows are counted exactly, and clusters are there", async () => {
    await deployed.goesOn();
    await staysExact();
    const models = JSON.stringify(await deployed.api('GET', '/api/v1/models/latest'));
    expect(models).to.contain('clusters');
  });

  it('a rolling restart under load: each container ends with 0, the Service always answers', async () => {
    await deployed.goesOn();
    const exits = deployed.watchExits();
    const service = deployed.watchService();
    await deployed.kubectl('rollout', 'restart', 'statefulset/geoflock');
    await deployed.kubectl('rollout', 'status', 'statefulset/geoflock', '--timeout=170s');
    await deployed.allReady(2);
    await exits.stop();
    expect([...exits.codes.values()]).to.deep.equal([0, 0]);
    const answers = await service.stop();
    expect(Object.keys(answers)).to.deep.equal(['200']);
    process.stdout.write(`      ${String(answers['200'])} requests while it rolled, all answered with 200\n`);
    await staysExact();
  });

  it('from 2 replicas to 3 and to 1', async () => {
    await deployed.goesOn();
    await deployed.kubectl('scale', 'statefulset/geoflock', '--replicas=3');
    await deployed.allReady(3);
    await deployed.goesOn();
    const exits = deployed.watchExits();
    await deployed.kubectl('scale', 'statefulset/geoflock', '--replicas=1');
    await deployed.allReady(1);
    await exits.stop();
    expect([...exits.codes.values()]).to.deep.equal([0, 0]);
    await staysExact();
    await deployed.kubectl('scale', 'statefulset/geoflock', '--replicas=2');
    await deployed.allReady(2);
  });

  it('a pod that is deleted by force', async () => {
    await deployed.goesOn();
    await deployed.kubectl('delete', 'pod', 'geoflock-0', '--force', '--grace-period=0');
    await deployed.goesOn();
    await deployed.allReady(2);
    await staysExact();
  });

  it('the processes of a container killed with -9', async () => {
    await deployed.goesOn();
    const { restarts } = await deployed.pod('geoflock-1');
    await deployed.signal('geoflock-1', 'KILL');
    await isStartedAgain('geoflock-1', restarts);
  });

  it('the processes of a container frozen with -STOP: not ready, then started again, ready', async () => {
    await deployed.goesOn();
    const { address, restarts } = await deployed.pod('geoflock-1');
    expect(await deployed.inside('ready', String(address))).to.equal(200);
    await deployed.signal('geoflock-1', 'STOP');
    await deployed.until('it is not ready any more', async () => !(await deployed.pod('geoflock-1')).ready);
    expect(await deployed.inside('ready', String(address))).to.equal('timeout');
    // The other one has all partitions now.
    await deployed.goesOn();
    const now = await deployed.pod('geoflock-1');
    expect(now.ready, 'ready while it stands still').to.equal(now.restarts > restarts);
    await isStartedAgain('geoflock-1', restarts);
  });

  it('the broker away: no replica is ready without it, and none is restarted for it', async () => {
    await deployed.goesOn();
    const restarts = (await deployed.replicas()).map((pod) => pod.restarts);
    await deployed.kubectl('scale', 'statefulset/kafka', '--replicas=0');
    await deployed.until('no replica is ready', async () => {
      return (await deployed.replicas()).every(({ ready }) => !ready);
    });
    await deployed.kubectl('scale', 'statefulset/kafka', '--replicas=1');
    await deployed.allReady(2);
    expect((await deployed.replicas()).map((pod) => pod.restarts)).to.deep.equal(restarts);
    await staysExact();
  });

  it('a node killed: the others go on without it, and it takes part again when it is back', async function () {
    const { cutPower } = cluster;
    const { other } = deployed;
    if (cutPower === undefined || other === undefined) {
      process.stderr.write('skipped: one node, or nobody has told how to cut its power\n');
      this.skip();
    }
    await deployed.goesOn();
    const there = (await deployed.replicas()).filter(({ node }) => node === other);
    expect(there).to.have.length(1);
    await cutPower(other);
    try {
      await deployed.until('its replica is not ready', async () => {
        return (await deployed.replicas()).every(({ node, ready }) => ready === (node !== other));
      });
      await deployed.goesOn();
      const { lines, rows } = await deployed.exact();
      expect(rows).to.deep.equal({ read: lines, counted: lines, rejected: 0 });
      await deployed.generate(true);
    } finally {
      await cluster.powerUp(other);
    }
    await deployed.allReady(2);
    await staysExact();
  });

  it('a drain gives the canonical model of all rows', async () => {
    const { lines } = await deployed.exact();
    await deployed.api('POST', '/api/v1/drain?timeout=120');
    const status = (await deployed.api('GET', '/api/v1/status')) as { model: { weight: number } };
    expect(status.model.weight).to.equal(lines);
  });
});
