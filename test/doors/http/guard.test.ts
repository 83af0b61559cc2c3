import { expect } from 'chai';
import fc from 'fast-check';
import { Guard, hostName } from '../../../src/doors/http/guard.ts';
import { Refusal } from '../../../src/doors/http/refusal.ts';

const TOKEN = '0123456789abcdef';
const settings = { address: '127.0.0.1', token: null, hosts: [], origins: [] };

describe('the guard of the HTTP door', () => {
  it('takes the token and nothing else', () => {
    const guard = new Guard({ ...settings, token: TOKEN });
    guard.checkToken(['Authorization', `Bearer ${TOKEN}`]);
    guard.checkToken(['X-A', 'b', 'authorization', `bearer  ${TOKEN} `]);
    fc.assert(
      fc.property(fc.string(), (other) => {
        fc.pre(other.trim() !== TOKEN);
        expect(() => {
          guard.checkToken(['Authorization', `Bearer ${other}`]);
        }).to.throw(Refusal);
      }),
    );
  });

  it('asks for none where none is set', () => {
    const guard = new Guard(settings);
    guard.checkToken([]);
    expect(guard.needsToken).to.equal(false);
  });

  it('reads no value as a name of a header', () => {
    const guard = new Guard({ ...settings, token: TOKEN });
    expect(() => {
      guard.checkToken(['X-A', 'authorization', `Bearer ${TOKEN}`, 'x']);
    }).to.throw(Refusal);
  });

  it('lets no host of another name through, whatever its form', () => {
    const guard = new Guard(settings);
    fc.assert(
      fc.property(fc.domain(), fc.option(fc.nat(65_535)), (name, port) => {
        fc.pre(name !== 'localhost');
        const host = port === null ? name : `${name}:${String(port)}`;
        expect(() => guard.checkSource({ target: '/livez', rawHeaders: ['Host', host] })).to.throw(Refusal);
      }),
    );
  });

  it('reads the name of a host with and without its port', () => {
    expect(['a.example', 'A.Example:80', '[::1]:80', '[::1]', '10.0.0.1:1'].map(hostName)).to.deep.equal([
      'a.example',
      'a.example',
      '::1',
      '::1',
      '10.0.0.1',
    ]);
    for (const none of [
      '',
      ':80',
      'a b',
      'a/b',
      'u@a',
      '::1',
      'a:1:2',
      'a:',
      '[a',
      'ä.example',
      'a:123456',
    ]) {
      expect(hostName(none), none).to.equal(undefined);
    }
  });
});
