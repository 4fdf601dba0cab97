# Run by the marketplace's lib/community/app_readiness.rb on an OpenNebula front-end with OneGate.
# The VM starts with the CONTEXT of metadata.yaml, which has no certificates: it must be refused, with a reason.
require_relative '../../../lib/community/app_handler'
require 'base64'

describe 'Flower appliance' do
    include_context('vm_handler')

    # Value of an attribute that the VM wrote about itself, or nil.
    def attribute(name)
        found = @info[:vm].info['USER_TEMPLATE/' + name]
        found unless found.nil? || found.empty?
    end

    def wait_for(what, seconds = 300)
        deadline = Time.now + seconds
        loop do
            found = yield
            return found if found
            raise "#{what}: not within #{seconds} s" if Time.now > deadline

            sleep 2
        end
    end

    it 'has the Flower version of its CONTEXT' do
        wanted = APP_CONTEXT_PARAMS[:FL_FLOWER_VERSION]
        shown = @info[:vm].ssh('/opt/flower/bin/flower-superlink --version')
        expect(shown.exitstatus).to eq(0)
        expect(shown.stdout).to include(wanted)
    end

    it 'runs the appliance' do
        @info[:vm].ssh('systemctl is-active flower-appliance.service').expect_success
    end

    it 'refuses an incomplete CONTEXT through OneGate, with what is missing' do
        error = wait_for('FL_ERROR') { attribute('FL_ERROR') }
        expect(Base64.decode64(error)).to include('FL_CA_CERT')
        expect(attribute('READY')).not_to eq('YES')
    end

    it 'says the same to whoever asks on the machine' do
        asked = @info[:vm].ssh('/etc/one-appliance/service configure')
        expect(asked.exitstatus).not_to eq(0)
        expect(asked.stdout + asked.stderr).to include('FL_CA_CERT')
    end

    # The command passes a shell here, in double quotes: no dollar signs.
    it 'has no password for anybody' do
        root = @info[:vm].ssh("grep -cE '^root:[!*]' /etc/shadow")
        expect(root.stdout.strip).to eq('1')
        others = @info[:vm].ssh("grep -vE '^[^:]+:[!*]' /etc/shadow")
        expect(others.stdout.strip).to eq('')
    end
end
