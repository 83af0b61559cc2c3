import { configurationJson, configurationTable } from '../config/describe.ts';
import type { DoorFlags } from './admin/door.ts';
import { withRunTimeEntries } from './run-time-values.ts';
import { loadSettings, type SettingFlags } from './settings.ts';
import { EXIT_OK, type Output } from './usage.ts';

/** `geoflock config`: what is in effect and where it came from, on stdout. */
export async function configCommand(
  flags: SettingFlags & DoorFlags & { readonly json?: boolean },
  output: Output,
): Promise<number> {
  const { configuration, entries: given } = await loadSettings(flags);
  const entries = await withRunTimeEntries(configuration, given, flags, output);
  output.out(flags.json === true ? configurationJson(entries) : configurationTable(entries));
  return EXIT_OK;
}
