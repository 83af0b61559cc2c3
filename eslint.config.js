import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig([
  globalIgnores(['dist/', 'coverage/', 'data/', 'node_modules/']),
  { linterOptions: { noInlineConfig: true } },
  js.configs.recommended,
  {
    files: ['**/*.js', '**/*.cjs'],
    languageOptions: {
      globals: {
        AbortSignal: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        clearTimeout: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        module: 'writable',
        process: 'readonly',
        setTimeout: 'readonly',
        __dirname: 'readonly',
      },
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // To leave a property out is what a rest is for: `const { dropped: _, ...rest } = whole`.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // An index loop over columns is the form of the hot path; typed arrays are indexed, not iterated.
      '@typescript-eslint/prefer-for-of': 'off',
      // There are no enums: the compiler accepts erasable syntax only.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // Clashes with no-non-null-assertion: a cast in a measured loop is the form we accept.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // One form of a type is not better than the other here: unions need `type`, ports read well as either.
      '@typescript-eslint/consistent-type-definitions': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // Time and chance are injected, so that a test owns them; pipeline.ts is where the real ones come in.
    files: ['src/**/*.ts'],
    ignores: ['src/system/clock.ts', 'src/pipeline.ts', 'src/cli/**'],
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'performance'],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Take the time from the clock that was injected.' },
        { object: 'Math', property: 'random', message: 'Take chance from the source that was injected.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
          message: 'Take the time from the clock that was injected.',
        },
      ],
    },
  },
  {
    files: ['scripts/**', 'bench/**', 'bin/**'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // chai's `expect(x).to.be.true` is an assertion.
      '@typescript-eslint/no-unused-expressions': 'off',
      'no-restricted-properties': [
        'error',
        ...['describe', 'it', 'context'].flatMap((object) =>
          ['only', 'skip'].map((property) => ({
            object,
            property,
            message: 'A test runs everywhere, or it says in its body why it cannot: this.skip().',
          })),
        ),
      ],
    },
  },
]);
