"""How far a restored photo is from the clean one."""
