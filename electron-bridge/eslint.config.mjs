import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default defineConfig(
  // Patterns hold from this folder and from the repository's root, where demo and tests are too.
  {
    ignores: ['**/.venv/**', '**/build/**', '**/dist/**', '**/node_modules/**', '**/generated/**'],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/src/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // A number in a template says what it means.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => socket.end()` is a plain callback.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A leading underscore marks an argument that a signature asks for.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      // Electron 9's Node 12 does not know the node: prefix.
      'no-restricted-imports': ['error', { patterns: ['node:*'] }],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: globals.node },
  },
  {
    // These scripts run in Electron 9 as they are.
    files: ['demo/**/*.js', 'examples/**/*.js', 'tests/**/*.js'],
    languageOptions: {
      ecmaVersion: 2020,
      sourceType: 'commonjs',
      globals: { ...globals.node, ...globals.browser },
    },
    rules: { eqeqeq: 'error', 'no-eval': 'error', 'no-implied-eval': 'error' },
  },
  {
    // Without a comment for eslint: these are read as samples.
    files: ['examples/page/**/*.js', 'examples/packaged/apps/**/*.js'],
    languageOptions: { globals: { deskbus: 'readonly' } },
  },
  {
    // The benchmark's peers run in the machine's own Node.
    files: ['tests/performance/**/*.js'],
    languageOptions: { ecmaVersion: 'latest' },
  },
);
