import { expect } from 'chai';
import type { Command } from 'commander';
import { buildProgram } from '../../src/cli/program.ts';

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => 120,
  });
  command.outputHelp();
  return help;
}

describe('help', () => {
  const program = buildProgram({ out: () => undefined, err: () => undefined }, () => undefined);
  const flags: readonly (readonly [string, readonly string[]])[] = [
    [
      'run',
      ['--input', '--state', '--report', '--config', '--once', '--json', '--settle-timeout', '--log-level'],
    ],
    [
      'generate',
      ['--files', '--every', '--shape', '--cities', '--devices', '--noise', '--bad', '--seed', '--header'],
    ],
    ['predict', ['--json', '--model', '--as-of', '--state']],
    ['export', ['--format', '--areas', '--output', '--model', '--as-of']],
    ['config', ['--json', '--config', '--input']],
    ['demo', ['--duration', '--rows-per-file']],
    ['status', ['--watch', '--url', '--token-file', '--target', '--timeout', '--json']],
    ['pause', ['--url', '--target', '--json']],
    ['set', ['--url', '--config']],
  ];

  it('lists every command', () => {
    const help = helpOf(program);
    for (const [name] of flags) {
      expect(help).to.match(new RegExp(`^ {2}${name} `, 'm'));
    }
    expect(help).to.include('Examples:\n  $ geoflock');
  });

  for (const [name, expected] of flags) {
    it(`of ${name} lists its flags and shows examples`, () => {
      const command = program.commands.find((candidate) => candidate.name() === name);
      const help = command === undefined ? '' : helpOf(command);
      for (const flag of expected) {
        expect(help).to.include(`  ${flag} `);
      }
      expect(help).to.match(new RegExp(`Examples:\n {2}\\$ .*geoflock ${name}`));
    });
  }
});
