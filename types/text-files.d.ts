/** SQL files are bundled as text: see build.mjs and test/sql-transform.cjs. */
declare module '*.sql' {
  const text: string;
  export default text;
}
