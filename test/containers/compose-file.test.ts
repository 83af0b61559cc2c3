import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { PROJECT } from './image.ts';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

/** The services that a service waits for, themselves or through others. */
function before(name: string, services: Readonly<Record<string, Service>>): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (at: string): void => {
    for (const next of Object.keys(services[at]?.depends_on ?? {})) {
      if (!found.has(next)) {
        found.add(next);
        look(next);
      }
    }
  };
  look(name);
  return found;
}

describe('docker-compose.yml', () => {
  const text = readFileSync(join(PROJECT, 'docker-compose.yml'), 'utf8');
  const { services } = load(text) as { readonly services: Readonly<Record<string, Service>> };
  const builders = Object.entries(services).filter(([, service]) => service.build !== undefined);

  it('builds its image once: two builds of one name would be in each other’s way', () => {
    expect(builders.map(([name]) => name)).to.deep.equal(['geoflock-1']);
  });

  it('starts who shares that image after the service that builds it: it would be pulled, if its turn came first', () => {
    const [builder, { image }] = builders[0] ?? expect.fail('nothing is built');
    const sharers = Object.keys(services).filter(
      (name) => name !== builder && services[name]?.image === image,
    );
    expect(sharers).to.have.members(['geoflock-2', 'generator']);
    for (const name of sharers) {
      expect([...before(name, services)], name).to.include(builder);
    }
  });
});
