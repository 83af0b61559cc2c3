import { configurationJson, configurationTable } from '../config/describe.ts';
import { loadSettings, type SettingFlags } from './settings.ts';
import { EXIT_OK, type Output } from './usage.ts';

/** `geoflock config`: what is in effect and where it came from, on stdout. */
export async function configCommand(
  flags: SettingFlags & { readonly json?: boolean },
  output: Output,
): Promise<number> {
  const { entries } = await loadSettings(flags);
  output.out(flags.json === true ? configurationJson(entries) : configurationTable(entries));
  return EXIT_OK;
}
