"""Writes a map expansion whose every corner is known."""
import json

from geminifusion3d.nuscenes_facts import MAP_LINE_LAYERS, MAP_POLYGON_LAYERS

LAYERS = (*MAP_POLYGON_LAYERS, *MAP_LINE_LAYERS)


def write_map(folder, polygons=(), lines=(), location='boston-seaport', **more):
    """Writes a map; polygons are (layer, rings), lines (layer, corners). Returns the data root."""
    content = {'version': '1.3', 'canvas_edge': [200.0, 200.0], 'node': [], 'polygon': [], 'line': [],
               **{layer: [] for layer in (*LAYERS, 'traffic_light', 'lane_connector')},
               'arcline_path_3': {}, 'connectivity': {}}

    def nodes(corners):
        start = len(content['node'])
        content['node'] += [dict(token=f'n{start + i}', x=x, y=y) for i, (x, y) in enumerate(corners)]
        return [f'n{start + i}' for i in range(len(corners))]

    for index, (layer, rings) in enumerate(polygons):
        exterior, *holes = [nodes(ring) for ring in rings]
        content['polygon'].append(dict(token=f'p{index}', exterior_node_tokens=exterior,
                                       holes=[dict(node_tokens=hole) for hole in holes]))
        content[layer].append(
            dict(token=f'{layer}{index}', polygon_token=f'p{index}', polygon_tokens=[f'p{index}'],
                 stop_line_type='STOP_SIGN', left_lane_divider_segments=[], right_lane_divider_segments=[]))
    for index, (layer, corners) in enumerate(lines):
        content['line'].append(dict(token=f'l{index}', node_tokens=nodes(corners)))
        content[layer].append(dict(token=f'{layer}{index}', line_token=f'l{index}'))
    path = folder / 'maps' / 'expansion' / f'{location}.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**content, **more}))
    return folder
