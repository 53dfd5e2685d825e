import { httpUrl } from '#domain/setting.ts';

/** Goes into the section `alerts`. */
export const sources = {
  alertmanagerUrl: httpUrl().optional().meta({
    description: 'Alertmanager, for doctor to see that it is there.',
    example: 'http://127.0.0.1:9093',
  }),
  prometheusUrl: httpUrl().optional().meta({
    description: 'Prometheus, for doctor to see that it is there.',
    example: 'http://127.0.0.1:9090',
  }),
};
