import { describeBroker } from './conformance.ts';
import { openAt, removeDirectory, temporaryDirectory } from './fixtures.ts';

describeBroker('embedded', async () => {
  const directory = await temporaryDirectory();
  return { open: () => openAt(directory), dispose: () => removeDirectory(directory) };
});
