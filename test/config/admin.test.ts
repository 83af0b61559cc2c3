import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { adminToken } from '../../src/config/admin-token.ts';
import { isLoopback } from '../../src/config/admin-schema.ts';
import { configurationTable } from '../../src/config/describe.ts';
import { ConfigurationError } from '../../src/config/errors.ts';
import { type LoadedConfiguration, loadConfiguration } from '../../src/config/load.ts';

const TOKEN = '0123456789abcdef';

function load(admin: Readonly<Record<string, string>>): LoadedConfiguration {
  const flags = Object.entries(admin).map(([key, value]) => ({ flag: key, key: `admin.${key}`, value }));
  return loadConfiguration({ environment: {}, flags });
}

function problemsOf(admin: Readonly<Record<string, string>>): readonly string[] {
  try {
    adminToken(load(admin).configuration.admin);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) {
      return error.problems;
    }
    throw error;
  }
}

describe('admin', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-admin-'));
    file = path.join(folder, 'token');
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  it('listens on this machine only, by default, without a token', () => {
    const { admin } = load({}).configuration;
    expect(admin).to.deep.equal({
      enabled: true,
      address: '127.0.0.1',
      port: 8470,
      token: null,
      tokenFile: null,
      hosts: [],
      origins: [],
      maxConnections: 256,
    });
  });

  it('needs a token on any other address', () => {
    for (const address of ['0.0.0.0', '::', '10.0.0.1', '::ffff:127.0.0.1']) {
      const [problem] = problemsOf({ address });
      expect(problem, address).to.match(/^admin\.token: .*GEOFLOCK_ADMIN_TOKEN or admin\.tokenFile/);
      expect(problemsOf({ address, token: TOKEN })).to.deep.equal([]);
      expect(problemsOf({ address, enabled: 'false' })).to.deep.equal([]);
    }
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
      expect(problemsOf({ address }), address).to.deep.equal([]);
    }
    expect(isLoopback('128.0.0.1')).to.equal(false);
  });

  it('takes the token from a file', () => {
    fs.writeFileSync(file, `${TOKEN}\n`);
    expect(adminToken(load({ tokenFile: file }).configuration.admin)).to.equal(TOKEN);
  });

  it('never shows it', () => {
    expect(configurationTable(load({ token: TOKEN }).entries))
      .to.include('(hidden)')
      .and.not.to.include(TOKEN);
    expect(problemsOf({ token: 'short-secret' }).join()).not.to.include('short-secret');
    fs.writeFileSync(file, 'short-secret');
    expect(problemsOf({ tokenFile: file }).join()).not.to.include('short-secret');
  });

  const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ token: 'x'.repeat(15) }, /^admin\.token: .*at least 16 characters/],
    [{ token: `${TOKEN} ${TOKEN}` }, /^admin\.token: .*ASCII characters without blanks/],
    [{ token: TOKEN, tokenFile: '/t' }, /^admin\.tokenFile: .*because admin\.token is set/],
    [{ tokenFile: '/none/token' }, /^admin\.tokenFile: "\/none\/token" cannot be read: ENOENT/],
    [{ address: 'example.com' }, /^admin\.address: .*expected an IP address/],
    [{ port: '65536' }, /^admin\.port: /],
    [{ hosts: 'a.example:80' }, /^admin\.hosts: .*without ports/],
    [{ hosts: '*' }, /^admin\.hosts: /],
    [{ origins: 'a.example' }, /^admin\.origins: /],
    [{ origins: 'https://a.example/' }, /^admin\.origins: /],
    [{ origins: '*' }, /^admin\.origins: /],
    [{ maxConnections: '0' }, /^admin\.maxConnections: /],
  ];
  for (const [admin, message] of wrong) {
    it(`refuses ${JSON.stringify(admin)}`, () => {
      expect(problemsOf(admin)).to.have.length(1);
      expect(problemsOf(admin)[0]).to.match(message);
    });
  }

  it('reads lists with and without commas', () => {
    const { admin } = load({
      hosts: 'A.example, b',
      origins: 'https://a.example,http://b:8080',
    }).configuration;
    expect(admin.hosts).to.deep.equal(['a.example', 'b']);
    expect(admin.origins).to.deep.equal(['https://a.example', 'http://b:8080']);
  });
});
