"""What the package needs of the machine: files, devices, memory, downloads, packages."""
