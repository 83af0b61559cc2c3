import { describeBroker } from './conformance.ts';
import { openAt, removeDirectory, temporaryDirectory } from './fixtures.ts';

describeBroker('embedded', { keepsUnconsumed: true }, async () => {
  const directory = await temporaryDirectory();
  return {
    named: (name) => name,
    open: () => openAt(directory),
    dispose: () => removeDirectory(directory),
  };
});
