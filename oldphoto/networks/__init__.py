"""The networks: layers, VAEs, mappings, discriminators and the scratch detector."""
