/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/cdk.out/', '<rootDir>/.local/'],
  transform: {
    '\\.sql$': '<rootDir>/test/sql-transform.cjs',
    '\\.ts$': [
      '@swc/jest',
      // Dynamic imports stay dynamic: some engines are ES modules only.
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs', ignoreDynamic: true },
      },
    ],
  },
  testTimeout: 60_000,
  maxWorkers: 2,
  testSequencer: '<rootDir>/test/longest-first.cjs',
};
