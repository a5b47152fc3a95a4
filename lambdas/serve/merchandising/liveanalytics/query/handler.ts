import { queryApi } from '../../query/api';
import { openReader } from '../open-reader';

/** Answers what merchants ask, from LiveAnalytics: ../../query/api.ts says what happens on bad data and on failure. */
export const handler = queryApi(openReader());
