# Set by one-apps' packer/build.sh.
variable "appliance_name" {
  type    = string
  default = "@NAME@"
}

variable "input_dir" {
  type = string
}

variable "output_dir" {
  type = string
}

variable "headless" {
  type    = bool
  default = true
}

variable "version" {
  type    = string
  default = ""
}

variable "distro" {
  type    = string
  default = ""
}

variable "arch" {
  type    = string
  default = "x86_64"
}

# Ours.
variable "base_image" {
  type        = string
  default     = "../one-apps/export/@BASE@.qcow2"
  description = "Ubuntu @UBUNTU@ with one-context, as `make @BASE@` of one-apps leaves it"
}

variable "base_checksum" {
  type        = string
  default     = "none"
  description = "Of the base image, such as sha256:...; none while it is the file that this machine has just built"
}

variable "appliance_dir" {
  type        = string
  default     = "../../appliances/@NAME@"
  description = "The appliance's folder of the marketplace"
}
