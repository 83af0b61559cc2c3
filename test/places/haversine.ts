interface Degrees {
  readonly longitude: number;
  readonly latitude: number;
}

/** Great-circle distance by the haversine formula (Sinnott, 1984), which knows no vectors. */
export function haversineKm(a: Degrees, b: Degrees): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const north = Math.sin(radians(b.latitude - a.latitude) / 2);
  const east = Math.sin(radians(b.longitude - a.longitude) / 2);
  const h = north ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * east ** 2;
  return 2 * 6371.0088 * Math.asin(Math.min(1, Math.sqrt(h)));
}
