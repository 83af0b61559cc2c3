import { expect } from 'chai';
import { FASTEST_METRES_PER_SECOND, type Offset, pathOf } from '../../src/generator/device-path.ts';
import { mix } from '../../src/generator/random.ts';

const START = Date.UTC(2026, 0, 1);

function at(device: number, timeMs: number): Offset {
  const offset = { east: 0, north: 0 };
  pathOf(mix(device), timeMs, offset);
  return offset;
}

/** Metres a second from second to second over an hour and a half, which has the ends of legs in it. */
function speedsOf(device: number): number[] {
  return Array.from({ length: 5_400 }, (_, second) => {
    const [from, to] = [at(device, START + second * 1_000), at(device, START + (second + 1) * 1_000)];
    return 1_000 * Math.hypot(to.east - from.east, to.north - from.north);
  });
}

describe('the path of a device', () => {
  const speeds = Array.from({ length: 100 }, (_, device) => speedsOf(device));

  it('has no leap in it, and no speed above 25 m/s', () => {
    for (const own of speeds) {
      expect(Math.max(...own)).to.be.at.most(FASTEST_METRES_PER_SECOND + 1e-6);
    }
  });

  it('is that of a walker, or for three in ten that of a driver; both also stand', () => {
    const drivers = speeds.filter((own) => Math.max(...own) > 2);
    expect(drivers.length).to.be.within(18, 42);
    for (const own of drivers) {
      expect(Math.max(...own)).to.be.at.least(9.9);
    }
    for (const own of speeds.filter((one) => Math.max(...one) <= 2)) {
      expect(Math.max(...own)).to.be.within(0.79, 1.81);
    }
    expect(speeds.filter((own) => own.includes(0)).length).to.be.above(90);
  });

  it('stays where the device lives, and comes from there', () => {
    for (let device = 0; device < 300; device++) {
      const { east, north } = at(device, START + device * 1_000_003);
      expect(Math.max(Math.abs(east), Math.abs(north))).to.be.at.most(5);
    }
  });
});
