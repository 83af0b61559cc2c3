/** The forms in which a model leaves the program, by the extensions of their files. */
export const MODEL_FORMATS = ['geojson', 'json', 'csv', 'pmml'] as const;

export type ModelFormat = (typeof MODEL_FORMATS)[number];
