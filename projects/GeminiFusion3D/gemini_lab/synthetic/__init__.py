"""A synthetic nuScenes world: ray-cast scenes written in the official schema, tables and all."""
