// Run from the top of the repository: `eslint --config tests/eslint.config.js static tests bench`.
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/node_modules/", "static/vendor/"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  { files: ["static/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["bench/**/*.mjs"], languageOptions: { globals: globals.node } },
  // Parts of a browser test run inside the page.
  {
    files: ["tests/**/*.{js,mjs}"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
];
