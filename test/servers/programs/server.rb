# Ruby's WEBrick on each listener of a file.
require 'json'
require 'openssl'
require 'webrick'
require 'webrick/https'

def pem(file, type)
  File.read(file).scan(/-----BEGIN [^-]+-----.*?-----END [^-]+-----/m).map { |text| type.new(text) }
end

threads = JSON.parse(File.read(ARGV[0])).map do |listener|
  leaf, *chain = pem(listener['chain'], OpenSSL::X509::Certificate)
  options = {
    Port: listener['port'], BindAddress: '127.0.0.1', AccessLog: [], Logger: WEBrick::Log.new($stderr),
    SSLEnable: true, SSLCertificate: leaf, SSLExtraChainCert: chain,
    SSLPrivateKey: OpenSSL::PKey.read(File.read(listener['key'])), SSLCiphers: listener['ciphers']
  }
  if listener['roots']
    store = OpenSSL::X509::Store.new
    pem(listener['roots'], OpenSSL::X509::Certificate).each { |root| store.add_cert(root) }
    if listener['revoked']
      pem(listener['revoked'], OpenSSL::X509::CRL).each { |list| store.add_crl(list) }
      store.flags = OpenSSL::X509::V_FLAG_CRL_CHECK | OpenSSL::X509::V_FLAG_CRL_CHECK_ALL
    end
    options[:SSLCertificateStore] = store
    options[:SSLVerifyClient] = OpenSSL::SSL::VERIFY_PEER | OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT
    options[:SSLClientCA] = pem(listener['roots'], OpenSSL::X509::Certificate)
  end
  server = WEBrick::HTTPServer.new(options)
  version = OpenSSL::SSL.const_get(listener['protocol'].sub('TLSv', 'TLS').sub('.', '_') + '_VERSION')
  server.ssl_context.min_version = server.ssl_context.max_version = version
  server.mount_proc('/') do |request, response|
    response.status = 421 if request.path == '/misdirected'
    response.body = "granted\n"
  end
  Thread.new { server.start }
end
threads.each(&:join)
