"""What the package needs from the machine: files, devices, memory, downloads, packages."""
