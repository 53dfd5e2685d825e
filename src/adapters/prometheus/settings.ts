import { httpUrl } from '#domain/setting.ts';

/** Goes into the section `alerts`. */
export const sources = {
  alertmanagerUrl: httpUrl().optional().meta({
    description: 'Alertmanager, to see that it is there.',
    example: 'http://127.0.0.1:9093',
  }),
  prometheusUrl: httpUrl().optional().meta({
    description: 'Prometheus, for rates over longer times.',
    example: 'http://127.0.0.1:9090',
  }),
};
