const { default: Sequencer } = require('@jest/test-sequencer');

/** Folders whose files take longest, the longest first. */
const long = ['/test/end-to-end/', '/test/engines/'];

/**
 * Begins with what takes longest, so that no worker runs on alone in the end. Jest goes by the times of earlier runs, and
 * in a fresh clone by the sizes of files, which say nothing of that.
 */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const place = long.findIndex((folder) => path.replaceAll('\\', '/').includes(folder));
      return place === -1 ? long.length : place;
    };
    return super.sort(tests).sort((one, other) => rank(one) - rank(other));
  }
};
