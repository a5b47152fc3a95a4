import { salesWriter } from '../../write-sales';
import { openWriter } from '../open-writer';

/** Writes sales into LiveAnalytics: ../../write-sales.ts says what happens on repeat, on bad data and on failure. */
export const handler = salesWriter(openWriter());
