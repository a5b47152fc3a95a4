/** The parts of dynalite and kinesalite that the local engines call in process; neither ships types. */
declare module 'dynalite/*' {
  const internals: any;
  export default internals;
}
declare module 'kinesalite/*' {
  const internals: any;
  export default internals;
}
