# The appliance on Ubuntu @UBUNTU@. Before it: `make @BASE@` in one-apps, and ./make-key here.

# The CONTEXT disk that lets Packer in.
source "null" "context" {
  communicator = "none"
}

build {
  sources = ["source.null.context"]

  provisioner "shell-local" {
    inline = [
      "mkdir -p ${var.input_dir}/context",
      "sh ${var.input_dir}/gen_context > ${var.input_dir}/context/context.sh",
      "xorriso -as mkisofs -quiet -V CONTEXT -J -R -o ${var.input_dir}/${var.appliance_name}-context.iso ${var.input_dir}/context",
    ]
  }
}

source "qemu" "@NAME@" {
  accelerator = "kvm"
  cpus        = 2
  memory      = @MEMORY_MIB@

  iso_url          = var.base_image
  iso_checksum     = var.base_checksum
  disk_image       = true
  disk_size        = "@DISK_MIB@M"
  disk_interface   = "virtio"
  disk_cache       = "unsafe"
  disk_compression = false
  format           = "qcow2"
  net_device       = "virtio-net"
  headless         = var.headless
  output_directory = var.output_dir
  vm_name          = var.appliance_name

  qemuargs = [
    ["-cpu", "host"],
    ["-serial", "stdio"],
    ["-cdrom", "${var.input_dir}/${var.appliance_name}-context.iso"],
    # The address in gen_context.
    ["-netdev", "user,id=net0,hostfwd=tcp::{{ .SSHHostPort }}-:22"],
    ["-device", "virtio-net-pci,netdev=net0,mac=02:00:00:00:00:01"],
  ]

  ssh_username         = "root"
  ssh_private_key_file = "${var.input_dir}/build-key"
  ssh_timeout          = "900s"
  shutdown_command     = "sh /root/99-leave.sh"
}

build {
  sources = ["source.qemu.@NAME@"]

  provisioner "shell" {
    inline = [
      "install -d -m 0755 /etc/one-appliance /etc/one-appliance/service.d /opt/one-appliance",
    ]
  }

  provisioner "file" {
    sources = [
      "${var.appliance_dir}/appliance.sh",
      "${var.appliance_dir}/facts.sh",
      "${var.appliance_dir}/help.txt",
    ]
    destination = "/etc/one-appliance/service.d/"
  }

  provisioner "file" {
    source      = "${var.appliance_dir}/service"
    destination = "/etc/one-appliance/service"
  }

  provisioner "file" {
    source      = "${var.appliance_dir}/net-90-service-appliance"
    destination = "/etc/one-context.d/net-90-service-appliance"
  }

  # A folder without a slash at its end is made in the destination under its own name.
  provisioner "file" {
    source      = "${var.appliance_dir}/flower"
    destination = "/opt/one-appliance"
  }

  provisioner "file" {
    source      = "${var.input_dir}/99-leave.sh"
    destination = "/root/99-leave.sh"
  }

  provisioner "shell" {
    inline = [
      "chmod 0755 /etc/one-appliance/service /etc/one-context.d/net-90-service-appliance",
      "/etc/one-appliance/service install",
    ]
  }

  post-processor "shell-local" {
    environment_vars = [
      "OUTPUT_DIR=${var.output_dir}",
      "APPLIANCE_NAME=${var.appliance_name}",
    ]
    scripts = ["packer/postprocess.sh"]
  }
}
