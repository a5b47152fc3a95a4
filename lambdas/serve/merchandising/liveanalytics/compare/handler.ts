import { lakeComparison } from '../../comparison/compare-with-lake';
import { openReader } from '../open-reader';
import { openWriter } from '../open-writer';

/** Compares LiveAnalytics with the lake: ../../comparison/compare-with-lake.ts says what happens on repeat and on failure. */
export const handler = lakeComparison(openReader(), openWriter());
